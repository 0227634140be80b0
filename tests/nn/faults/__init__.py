"""What can go wrong with a checkpoint file, provoked many times: commands that count; the tests run a sample of each."""
