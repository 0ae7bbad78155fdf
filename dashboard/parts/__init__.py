"""What all pages are built of: words for numbers, the table, charts, the frame with its navigation, states without data. No page's own content."""
