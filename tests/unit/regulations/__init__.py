"""The law as data: files, fold, differences, pages."""
