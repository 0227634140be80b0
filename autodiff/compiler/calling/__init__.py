"""What a call does: with functions of Values, with functions of Tensors; what it gives back; the check."""
