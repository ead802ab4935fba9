"""What a run looks like: in a terminal, in Markdown, as one page of HTML, as JUnit XML."""
