-- Hand out requests to be made: the first of each lane that is due. Until the node has said how one
-- ended, or so much time is over that the node must be dead, its lane is not handed out again.
-- Keys, all below the prefix P:
--   P:w:due           sorted set: target -> when the first of its lanes is due
--   P:w:l:<target>    sorted set: lane -> when its first request is due
--   P:w:q:<lane>      list: requests
--   P:w:tries         hash: lane -> how often its first request was made in vain
-- ARGV: P, milliseconds until a lane is handed out again, room in all, room for each target; then
--       targets that have another room, and that room
-- Answers: now, then tries, request, ...
local p, lease, in_all = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local rooms = {}
for i = 5, #ARGV, 2 do rooms[ARGV[i]] = tonumber(ARGV[i + 1]) end
local answer = {text(now)}
for _, target in ipairs(redis.call('ZRANGEBYSCORE', p .. ':w:due', '-inf', text(now), 'LIMIT', 0, 1000)) do
  local room = math.min(in_all, rooms[target] or tonumber(ARGV[4]))
  if room > 0 then
    local lanes = redis.call('ZRANGEBYSCORE', p .. ':w:l:' .. target, '-inf', text(now), 'LIMIT', 0, room)
    for _, lane in ipairs(lanes) do
      redis.call('ZADD', p .. ':w:l:' .. target, text(now + lease), lane)
      local request = redis.call('LINDEX', p .. ':w:q:' .. lane, 0)
      if request then
        answer[#answer + 1] = tonumber(redis.call('HGET', p .. ':w:tries', lane) or '0')
        answer[#answer + 1] = request
        in_all = in_all - 1
      else
        redis.call('ZREM', p .. ':w:l:' .. target, lane)
      end
    end
    local first = redis.call('ZRANGE', p .. ':w:l:' .. target, 0, 0, 'WITHSCORES')
    if #first > 0 then
      redis.call('ZADD', p .. ':w:due', first[2], target)
    else
      redis.call('ZREM', p .. ':w:due', target)
    end
  end
end
return answer
