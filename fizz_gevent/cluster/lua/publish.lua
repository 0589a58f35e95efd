-- Events of one publisher, which is one node's process: into the log, to the subscribers, and where asked into the cache.
-- They come in parcels, each of events for one channel. A parcel that an earlier try has brought in already (its counter
-- tells) is passed over.
-- Keys, all below the prefix P:
--   P:sent:<publisher>   string: counter of its latest parcel; forgotten after a day of silence
--   P:n       string: how many events were published in this life
--   P:log     stream: the latest events; an entry's id is n of its last event, its fields are channels on the bus and messages
--   P:x:<app>:<channel>   string: the cached event, "<n>\n<payload>"
-- Channels: as given, each P:e:<app>:<channel> or P:all
-- ARGV: P, replay size, publisher, counter of the first parcel, then for each: channel on the bus, how many events,
--       message, milliseconds to live in the cache or 0
-- Answers: the most subscribers that one of them has reached, then for each parcel n of its last event, 0 where it was
--          passed over
local p = ARGV[1]
local mine = p .. ':sent:' .. ARGV[3]
local sent = tonumber(redis.call('GET', mine) or '0')
local counter, events = ARGV[4] - 1, 0
for i = 5, #ARGV, 4 do
  counter = counter + 1
  if counter > sent then events = events + ARGV[i + 1] end
end
local last, answer = counter, {0}
if events > 0 then
  local n = redis.call('INCRBY', p .. ':n', events) - events
  local entry = {'XADD', p .. ':log', 'MINID', '~', math.max(0, n + events - ARGV[2]), n + events .. '-0'}
  counter = ARGV[4] - 1
  for i = 5, #ARGV, 4 do
    local name, position = ARGV[i], 0
    counter = counter + 1
    if counter > sent then
      n = n + ARGV[i + 1]
      position = n
      local message = 'E ' .. n .. ' ' .. ARGV[i + 2]
      entry[#entry + 1] = name
      entry[#entry + 1] = message
      answer[1] = math.max(answer[1], redis.call('PUBLISH', name, message))
      if ARGV[i + 3] ~= '0' then
        local start = string.find(ARGV[i + 2], '\n', 1, true)
        local key = p .. ':x:' .. string.sub(name, #p + 4)
        redis.call('SET', key, n .. '\n' .. string.sub(ARGV[i + 2], start + 1), 'PX', ARGV[i + 3])
      end
    end
    answer[#answer + 1] = position
  end
  redis.call(unpack(entry))
  redis.call('SET', mine, last, 'EX', 86400)
else
  for i = 5, #ARGV, 4 do answer[#answer + 1] = 0 end
end
return answer
