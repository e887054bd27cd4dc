"""The demonstration: 27 items in ten languages through the whole flow, judged from outside."""
