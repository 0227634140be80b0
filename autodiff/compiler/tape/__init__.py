"""The virtual machine: rows as expressions, and as LLVM code; programs as its code; ``numba_backend`` runs them."""
