-- Sort what has happened, let go what was held for long enough, and show what requests are to be
-- made of. Only one node at a time is shown anything, so that each event is in one request.
-- Keys, all below the prefix P:
--   P:w:in        list: what has happened, see webhook_note.lua
--   P:w:held      sorted set: what went ("s ..." or "m ...", as there) -> when it is to be told
--   P:w:apps      sorted set: application with events -> time of the first
--   P:w:e:<app>   list: events, "<ms> <sign> <what>"
--   P:w:n         string: how many events and requests wait
--   P:w:due       sorted set: target -> when the first of its lanes is due
--   P:w:maker     string: the node that makes requests of events now
--   P:w:x         string: how much was dropped and not counted by a node yet
-- ARGV: P, this node, milliseconds to hold (-1: nothing is held any more), entries at once, most that may wait,
--       bytes of events at once, milliseconds in which the node has made the requests
-- Answers: now; when to come again, 0 for no reason to; how much waits; how much was dropped since
--          anybody asked; then for each application: its id, how many events follow, the events
local p, hold, slice = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local waiting = tonumber(redis.call('GET', p .. ':w:n') or '0')
local function add(ms, sign, what)
  local app = string.match(what, '^[^ ]+ ([^ ]+)')
  redis.call('RPUSH', p .. ':w:e:' .. app, text(ms) .. ' ' .. sign .. ' ' .. what)
  redis.call('ZADD', p .. ':w:apps', 'NX', text(ms), app)
  waiting = waiting + 1
end
local count = 0
while count < slice and waiting < tonumber(ARGV[5]) do
  local entry = redis.call('LPOP', p .. ':w:in')
  if not entry then break end
  count = count + 1
  local stamp, sign, what = string.match(entry, '^(%d+) ([+=-]) (.*)$')
  local ms = tonumber(stamp)
  if sign == '=' then
    add(ms, sign, what)
  elseif sign == '-' then
    redis.call('ZADD', p .. ':w:held', text(ms + math.max(0, hold)), what)
  else
    local due = tonumber(redis.call('ZSCORE', p .. ':w:held', what) or '-1')
    if due >= 0 then redis.call('ZREM', p .. ':w:held', what) end
    if due >= 0 and due <= ms then add(due, '-', what) end
    if due <= ms then add(ms, sign, what) end
  end
end
local until_when = hold < 0 and '+inf' or text(now)
local over = redis.call('ZRANGEBYSCORE', p .. ':w:held', '-inf', until_when, 'WITHSCORES', 'LIMIT', 0, slice)
for i = 1, #over, 2 do
  redis.call('ZREM', p .. ':w:held', over[i])
  add(tonumber(over[i + 1]), '-', over[i])
end
redis.call('SET', p .. ':w:n', waiting)
local in_line = redis.call('LLEN', p .. ':w:in')
local next = 0
local function come(at)
  if next == 0 or at < next then next = at end
end
if in_line > 0 then come(now) end
for _, key in ipairs({':w:held', ':w:due'}) do
  local first = redis.call('ZRANGE', p .. key, 0, 0, 'WITHSCORES')
  if #first > 0 then come(tonumber(first[2])) end
end
local dropped = tonumber(redis.call('GET', p .. ':w:x') or '0')
if dropped > 0 then redis.call('DEL', p .. ':w:x') end
local answer = {text(now), 0, in_line + redis.call('ZCARD', p .. ':w:held') + waiting, dropped}
local apps = redis.call('ZRANGE', p .. ':w:apps', 0, 49)
if #apps > 0 then
  local maker = redis.call('GET', p .. ':w:maker')
  if maker and maker ~= ARGV[2] then
    come(now + math.max(1, redis.call('PTTL', p .. ':w:maker')))
  else
    redis.call('SET', p .. ':w:maker', ARGV[2], 'PX', ARGV[7])
    local bytes = tonumber(ARGV[6])
    for _, app in ipairs(apps) do
      local events = {}
      for _, event in ipairs(redis.call('LRANGE', p .. ':w:e:' .. app, 0, 199)) do
        if bytes > 0 then
          events[#events + 1] = event
          bytes = bytes - #event
        end
      end
      if #events > 0 then
        answer[#answer + 1] = app
        answer[#answer + 1] = #events
        for _, event in ipairs(events) do answer[#answer + 1] = event end
      end
    end
  end
end
answer[2] = text(next)
return answer
