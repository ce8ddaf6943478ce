"""The engine `mirror`: the workspace on both hosts, reads beside the model, everything else at home."""
