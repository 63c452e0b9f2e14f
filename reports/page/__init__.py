"""What a reader opens: reports, comparisons and the site, as Markdown and as one HTML page.

Decides nothing. Imports every room of reports.
"""
