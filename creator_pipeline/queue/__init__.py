"""Redis's three jobs (queue, cache, limits), each with its failure path.

Redis is never the only place where something is: whatever it forgets or refuses costs time, not data. Each public
function swallows :class:`~creator_pipeline.queue.redis_client.RedisDown` and goes its slower way.
"""
