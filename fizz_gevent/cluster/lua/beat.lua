-- A node shows that it lives, and tells itself over the bus how far the log has come.
-- Keys, all below the prefix P:
--   P:nodes   hash: node -> heartbeat
--   P:epoch   string: names this life of the data
--   P:n       string: how many events were published in this life
-- Channel: the node's own
-- ARGV: P, node, the node's own channel
-- Answers: nothing where the node is not known (any more), else epoch, n, node, heartbeat, ...
local p, node = ARGV[1], ARGV[2]
if redis.call('HEXISTS', p .. ':nodes', node) == 0 then return false end
redis.call('HINCRBY', p .. ':nodes', node, 1)
local epoch = redis.call('GET', p .. ':epoch') or ''
local n = redis.call('GET', p .. ':n') or '0'
redis.call('PUBLISH', ARGV[3], 'M ' .. n .. ' ' .. epoch .. '\n')
local answer = redis.call('HGETALL', p .. ':nodes')
table.insert(answer, 1, n)
table.insert(answer, 1, epoch)
return answer
