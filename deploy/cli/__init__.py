"""What the `konullu` commands do; `deploy/cli/main.py` names them and their options."""
