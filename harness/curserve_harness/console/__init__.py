"""What a person sees of any verb: exit codes and errors, progress, the guarded terminal, the end by a signal."""
