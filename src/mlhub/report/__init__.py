"""A report on runs: one file of HTML (or Markdown) that needs nothing else, for people who have no mlhub.

`gather.gather` reads the runs' folders into `contents.Contents`; `page.to_html` and `markdown.to_markdown` write it.
Text from outside is escaped in `html` alone, which makes every element; the page asks no network for anything and says
so to the browser (Content-Security-Policy). Not a comparison of its own: `mlhub.compare` decides what is best.
"""
