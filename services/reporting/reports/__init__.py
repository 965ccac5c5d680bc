"""What is read: the register, summaries, ratings, dynamics, overdue and accounts, out of the rows that were folded."""
