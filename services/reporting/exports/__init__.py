"""Reports as files: CSV in a stream, XLSX and DOCX for the people who file them."""
