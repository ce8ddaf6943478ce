"""Tools called in the process that serves the model: a vLLM plug-in, an optional extra.

Only `tiny`, `forced`, `paced` and `plugin` import vLLM or its libraries, and they run in vLLM's own environment
(`make vllm`); everything else here is plain Python, so that the rest of the project needs no vLLM.
"""
