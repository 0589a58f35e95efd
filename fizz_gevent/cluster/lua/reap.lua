-- Take over what a dead node held, a slice at a time. The first call takes the node out of P:nodes,
-- if its heartbeat is still the one that stood still; then it cannot come back under its name.
-- Keys, all below the prefix P:
--   P:nodes        hash: node -> heartbeat
--   P:dead         hash: node -> 1, nodes whose holdings are not all taken over yet
--   P:g            string: number of the latest transition of any channel
--   P:c, P:s:<app>, P:u:<app>, P:m:, P:k:, P:q:<app>:<channel>   as in the scripts that hold
--   P:v:<app>:<user>   string: the user has left, and still counts as online until this expires
--   P:h:<node>:c, :s, :m, :u   what the node held
--   P:w:in, P:w:x  what back ends are to be told, as in hold_subscription.lua
-- Channels: P:e:<app>:<channel> for each member that is gone and for each count that is another,
--           P:all for each user
-- ARGV: P, node, heartbeat or '' for a node that leaves by itself or is dead already, slice;
--       milliseconds that a user who has left still counts as online; how many things that back
--       ends are to be told may wait; applications whose back ends are
-- Answers: 1 while something is left, 0 when nothing is, -1 where the node lives;
--          then what changed: kind ('m', 's' or 'u'), app, channel or '', user or '', ...
local p, node, slice = ARGV[1], ARGV[2], tonumber(ARGV[4])
if redis.call('HEXISTS', p .. ':dead', node) == 0 then
  local heartbeat = redis.call('HGET', p .. ':nodes', node)
  if not heartbeat or (ARGV[3] ~= '' and heartbeat ~= ARGV[3]) then return {-1} end
  redis.call('HDEL', p .. ':nodes', node)
  redis.call('HSET', p .. ':dead', node, 1)
end
local answer = {0}
local h = p .. ':h:' .. node
local function taken(suffix)
  -- Not HSCAN: in a hash that has been emptied in part it may find nothing where much is left.
  local got = redis.call('HRANDFIELD', h .. suffix, slice, 'WITHVALUES')
  if #got > 0 then answer[1] = 1 end
  for i = 1, #got, 2 do redis.call('HDEL', h .. suffix, got[i]) end
  return got
end
local function note(...)
  for _, value in ipairs({...}) do answer[#answer + 1] = value end
end
local is_told = {}
for i = 7, #ARGV do is_told[ARGV[i]] = true end
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local function tell(app, what)
  if not is_told[app] or string.find(what, '^s [^ ]* #') then return end
  if redis.call('LLEN', p .. ':w:in') >= tonumber(ARGV[6]) then
    redis.call('INCR', p .. ':w:x')
  else
    redis.call('RPUSH', p .. ':w:in', at .. ' - ' .. what)
  end
end
local members = taken(':m')
for i = 1, #members, 2 do
  local app, channel, user = string.match(members[i], '^([^ ]*) ([^ ]*) (.*)$')
  local name = app .. ':' .. channel
  local left = redis.call('HINCRBY', p .. ':k:' .. name, user, -tonumber(members[i + 1]))
  if left <= 0 then
    redis.call('HDEL', p .. ':k:' .. name, user)
    redis.call('HDEL', p .. ':m:' .. name, user)
    local previous = tonumber(redis.call('GET', p .. ':q:' .. name) or '0')
    local latest = redis.call('INCR', p .. ':g')
    redis.call('PUBLISH', p .. ':e:' .. name,
      'P ' .. previous .. ' ' .. latest .. ' - ' .. #user .. '\n' .. user)
    if redis.call('HLEN', p .. ':m:' .. name) > 0 then
      redis.call('SET', p .. ':q:' .. name, latest)
    else
      redis.call('DEL', p .. ':q:' .. name)
    end
    note('m', app, channel, user)
    tell(app, 'm ' .. members[i])
  end
end
local subscriptions = taken(':s')
for i = 1, #subscriptions, 2 do
  local app, channel = string.match(subscriptions[i], '^([^ ]*) (.*)$')
  local left = redis.call('HINCRBY', p .. ':s:' .. app, channel, -tonumber(subscriptions[i + 1]))
  if left <= 0 then
    redis.call('HDEL', p .. ':s:' .. app, channel)
    note('s', app, channel, '')
    tell(app, 's ' .. subscriptions[i])
  elseif string.sub(channel, 1, 9) ~= 'presence-' then
    redis.call('PUBLISH', p .. ':e:' .. app .. ':' .. channel, 'C ' .. left .. '\n')
  end
end
local users = taken(':u')
for i = 1, #users, 2 do
  local app, user = string.match(users[i], '^([^ ]*) (.*)$')
  if redis.call('HINCRBY', p .. ':u:' .. app, user, -tonumber(users[i + 1])) <= 0 then
    redis.call('HDEL', p .. ':u:' .. app, user)
    redis.call('SET', p .. ':v:' .. app .. ':' .. user, 1, 'PX', ARGV[5])
    redis.call('PUBLISH', p .. ':all', 'U - ' .. app .. '\n' .. user)
    note('u', app, '', user)
  end
end
local connections = taken(':c')
for i = 1, #connections, 2 do
  if redis.call('HINCRBY', p .. ':c', connections[i], -tonumber(connections[i + 1])) <= 0 then
    redis.call('HDEL', p .. ':c', connections[i])
  end
end
if answer[1] == 0 then
  redis.call('DEL', h .. ':c', h .. ':s', h .. ':m', h .. ':u')
  redis.call('HDEL', p .. ':dead', node)
end
return answer
