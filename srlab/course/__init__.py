"""The course as files: copies of it, its words, its grading and its pages."""
