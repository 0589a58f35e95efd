-- Who is in a presence channel.
-- Keys, all below the prefix P:
--   P:m:<app>:<channel>   hash: user -> user_info
--   P:q:<app>:<channel>   string: number of the channel's latest transition
-- ARGV: P, app, channel
-- Answers: number of the latest transition, user, user_info, ...
local name = ARGV[2] .. ':' .. ARGV[3]
local answer = redis.call('HGETALL', ARGV[1] .. ':m:' .. name)
table.insert(answer, 1, tonumber(redis.call('GET', ARGV[1] .. ':q:' .. name) or '0'))
return answer
