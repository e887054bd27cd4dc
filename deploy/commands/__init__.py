"""What the `konullu` commands do; `shared/cli.py` names them and their options."""
