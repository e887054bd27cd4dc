"""Submissions: accepted once, revised, withdrawn, shown to their author."""
