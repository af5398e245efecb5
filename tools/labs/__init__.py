"""The labs and the homework: their student versions, and the grading of what comes back."""
