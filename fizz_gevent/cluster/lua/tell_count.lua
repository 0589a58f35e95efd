-- Tell the subscribers of a channel how many they are now: here, so that the last word is the newest.
-- Keys, all below the prefix P:
--   P:s:<app>   hash: channel -> subscriptions in the cluster
-- Channel: P:e:<app>:<channel>
-- ARGV: P, app, channel
local p, app, channel = ARGV[1], ARGV[2], ARGV[3]
local total = redis.call('HGET', p .. ':s:' .. app, channel) or '0'
redis.call('PUBLISH', p .. ':e:' .. app .. ':' .. channel, 'C ' .. total .. '\n')
