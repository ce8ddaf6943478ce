"""A serving cluster, simulated: the verb `simulate`. docs/SIMULATION.md says what the simulation is."""
