"""What will run, decided before anything does: options become a plan, links, model profiles, a policy per call."""
