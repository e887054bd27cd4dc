"""How the system is put on machines: one machine (`local`), or many (compose and its configuration files)."""
