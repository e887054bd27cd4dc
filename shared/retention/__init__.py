"""How long what people gave is kept, and the job that takes it away."""
