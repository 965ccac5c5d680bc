"""People with a browser: collected where a Chromium is found, and left out with one clear line where none is."""
