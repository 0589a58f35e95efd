-- How many subscriptions of a channel a node has now, and how many of them are one member's.
-- Both are absolute, so that saying it again changes nothing.
-- Keys, all below the prefix P:
--   P:nodes               hash: node -> heartbeat
--   P:n                   string: how many events were published in this life
--   P:g                   string: number of the latest transition of any channel
--   P:s:<app>             hash: channel -> subscriptions in the cluster
--   P:m:<app>:<channel>   hash: user -> user_info
--   P:k:<app>:<channel>   hash: user -> subscriptions in the cluster
--   P:q:<app>:<channel>   string: number of the channel's latest transition
--   P:h:<node>:s          hash: "<app> <channel>" -> subscriptions of this node
--   P:h:<node>:m          hash: "<app> <channel> <user>" -> subscriptions of this node
--   P:w:in                list: what back ends are to be told, see webhook_note.lua
--   P:w:x                 string: how much of that was dropped
-- Channel: P:e:<app>:<channel>, told of each transition with its number and the one before
-- ARGV: P, node, app, channel, count; for presence also: user, the user's count, user_info or ''
--       (leaves it as it is), most members or ''; last, in any case: what back ends are to be told
--       of, s for the channel, m for the member, and how many such things may wait: "sm 100000"
-- Answers: nothing where the node is not known; 1 done or 0 full; the cluster's count;
--          1 where that was or became 0, else 0; 1 where the member came or went, else 0; n;
--          for presence: number of the latest transition, user, user_info, ...
local p, node, app, channel, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('HEXISTS', p .. ':nodes', node) == 0 then return false end
local name = app .. ':' .. channel
local moved, latest = 0, 0
local news, wanted_news, most_news = {}, string.match(ARGV[#ARGV], '^(%a*) ?(%d*)$')
local function tell(letter, is_on, what)
  if not string.find(wanted_news, letter, 1, true) then return end
  -- A channel is there before its members, and after them.
  table.insert(news, is_on and 1 or #news + 1, (is_on and '+ ' or '- ') .. letter .. ' ' .. what)
end
if #ARGV > 6 then
  local user, wanted, info = ARGV[6], tonumber(ARGV[7]), ARGV[8]
  local infos, counts, sequence = p .. ':m:' .. name, p .. ':k:' .. name, p .. ':q:' .. name
  local held, field = p .. ':h:' .. node .. ':m', app .. ' ' .. channel .. ' ' .. user
  local before = tonumber(redis.call('HGET', counts, user) or '0')
  local now = before + wanted - tonumber(redis.call('HGET', held, field) or '0')
  if before == 0 and now > 0 and ARGV[9] ~= '' and redis.call('HLEN', infos) >= tonumber(ARGV[9]) then
    return {0, 0, 0, 0, 0}
  end
  if wanted > 0 then redis.call('HSET', held, field, wanted) else redis.call('HDEL', held, field) end
  if now > 0 then
    redis.call('HSET', counts, user, now)
    if info ~= '' then redis.call('HSET', infos, user, info) end
    if before == 0 and info == '' then redis.call('HSETNX', infos, user, '{}') end
  else
    redis.call('HDEL', counts, user)
    redis.call('HDEL', infos, user)
  end
  latest = tonumber(redis.call('GET', sequence) or '0')
  if (before > 0) ~= (now > 0) then
    moved = 1
    tell('m', now > 0, app .. ' ' .. channel .. ' ' .. user)
    local previous = latest
    latest = redis.call('INCR', p .. ':g')
    local sign = '-'
    if now > 0 then sign = '+' end
    redis.call('PUBLISH', p .. ':e:' .. name, 'P ' .. previous .. ' ' .. latest .. ' ' .. sign
      .. ' ' .. #user .. '\n' .. user .. info)
    if redis.call('HLEN', infos) > 0 then
      redis.call('SET', sequence, latest)
    else
      redis.call('DEL', sequence)
    end
  end
end
local totals, held, field = p .. ':s:' .. app, p .. ':h:' .. node .. ':s', app .. ' ' .. channel
local before = tonumber(redis.call('HGET', totals, channel) or '0')
local total = before + count - tonumber(redis.call('HGET', held, field) or '0')
if count > 0 then redis.call('HSET', held, field, count) else redis.call('HDEL', held, field) end
if total ~= before then
  if total > 0 then redis.call('HSET', totals, channel, total) else redis.call('HDEL', totals, channel) end
end
local turned = 0
if (before > 0) ~= (total > 0) then
  turned = 1
  tell('s', total > 0, app .. ' ' .. channel)
end
if #news > 0 then
  local time = redis.call('TIME')
  local at = string.format('%.0f ', time[1] * 1000 + math.floor(time[2] / 1000))
  for _, each in ipairs(news) do
    if redis.call('LLEN', p .. ':w:in') >= tonumber(most_news) then
      redis.call('INCR', p .. ':w:x')
    else
      redis.call('RPUSH', p .. ':w:in', at .. each)
    end
  end
end
local answer = {1, total, turned, moved, tonumber(redis.call('GET', p .. ':n') or '0')}
if #ARGV > 6 then
  local roster = redis.call('HGETALL', p .. ':m:' .. name)
  answer[6] = latest
  for i = 1, #roster do answer[6 + i] = roster[i] end
end
return answer
