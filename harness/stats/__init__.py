"""Statistics: numbers in, numbers out.

    intervals   one pass rate and its interval
    paired      the difference of two arms over the same cases
    verdicts    what a difference means, in one of six words
    repeats     reliability over repeats of a case
    latency     quantiles and ratios of times

The case is the unit: repeats are averaged inside their case first. Intervals speak about cases like these, not about
exactly these. scipy is imported when the first quantile of Student's t is asked for, not before.
"""
