"""Deterministic simulation: the real deciders on the real runtime, in a world where a seed decides everything.

`plan.py` what a seed means · `loop.py` the event loop · `world.py` what there is · `replica.py`, `group.py`, `stores.py` how the
services see it · `clients.py`, `commands.py`, `watcher.py` who asks · `nemesis.py` what befalls them · `simulate.py` from plan to
verdict · `checks.py`, `refolding.py` what must hold · `bugs.py` what must be found · `shrink.py`,
`run.py` from a failing seed to a story.
"""
