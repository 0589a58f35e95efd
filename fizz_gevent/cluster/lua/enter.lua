-- A node begins to take part, under a name that nobody has used before.
-- Keys, all below the prefix P:
--   P:nodes   hash: node -> heartbeat
--   P:epoch   string: names this life of the data; a Redis that comes back empty gets another
--   P:n       string: how many events were published in this life
-- ARGV: P, node, epoch to set where there is none
-- Answers: epoch, n
local p = ARGV[1]
redis.call('HSET', p .. ':nodes', ARGV[2], 1)
redis.call('SETNX', p .. ':epoch', ARGV[3])
return {redis.call('GET', p .. ':epoch'), tonumber(redis.call('GET', p .. ':n') or '0')}
