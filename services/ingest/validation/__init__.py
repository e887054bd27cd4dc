"""What a submission may say: its fields and the campaign's rules on them."""
