"""Statistics: numbers in, numbers out.

    intervals     one pass rate or mean score, and its interval
    paired        the difference of two arms over the same cases
    verdicts      what a difference means, in one of six words
    sizing        how many cases it takes, and what so many can see
    repeats       reliability over repeats of a case
    latency       quantiles of times, their difference, and ratios
    costs         ratio of two bills, cases that run away
    agreement     how far judges agree
    multiplicity  many comparisons at once
    clusters, student, tango, resampling    what these are made of

The case is the unit: repeats are averaged inside their case first. Intervals speak about cases like these, not about
exactly these. numpy is imported when a bootstrap is asked for, scipy when a quantile of Student's t or of the beta
distribution is, not before.
"""
