"""What Streamlit runs for each change of a page."""

from dashboard.shell import run

run()
