-- A node begins to take part, under a name that nobody has used before.
-- Keys, all below the prefix P:
--   P:nodes   hash: node -> heartbeat
--   P:epoch   string: names this life of the data, and ends with the time of its beginning in
--             milliseconds; a Redis that comes back empty gets another
--   P:n       string: how many events were published in this life
-- ARGV: P, node, name of the epoch where there is none
-- Answers: epoch, n, milliseconds since the beginning of this life
local p = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', p .. ':nodes', ARGV[2], 1)
redis.call('SETNX', p .. ':epoch', ARGV[3] .. '-' .. string.format('%.0f', now))
local epoch = redis.call('GET', p .. ':epoch')
local began = tonumber(string.match(epoch, '(%d+)$') or '0')
return {epoch, tonumber(redis.call('GET', p .. ':n') or '0'), now - began}
