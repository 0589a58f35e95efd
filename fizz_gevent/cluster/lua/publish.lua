-- Events of one publisher, which is one node's process: into the log, to the subscribers, and where asked into the cache.
-- An event that an earlier try has brought in already (its counter tells) is passed over.
-- Keys, all below the prefix P:
--   P:sent:<publisher>   string: counter of its latest event; forgotten after a day of silence
--   P:n       string: how many events were published in this life
--   P:log     stream: the latest events, their ids are n; c: channel on the bus, m: message
--   P:x:<app>:<channel>   string: the cached event, "<n>\n<payload>"
-- Channels: as given, each P:e:<app>:<channel> or P:all
-- ARGV: P, publisher, replay size, then for each event: counter, channel on the bus, message,
--       cache key or '', milliseconds to live
-- Answers: n of each event, 0 for one that was passed over
local p, size = ARGV[1], ARGV[3]
local mine = p .. ':sent:' .. ARGV[2]
local sent = tonumber(redis.call('GET', mine) or '0')
local n = tonumber(redis.call('GET', p .. ':n') or '0')
local before, answer = n, {}
for i = 4, #ARGV, 5 do
  local counter = tonumber(ARGV[i])
  answer[#answer + 1] = 0
  if counter > sent then
    sent = counter
    n = n + 1
    answer[#answer] = n
    local message = 'E ' .. n .. ' ' .. ARGV[i + 2]
    redis.call('XADD', p .. ':log', 'MAXLEN', '~', size, n .. '-0', 'c', ARGV[i + 1], 'm', message)
    redis.call('PUBLISH', ARGV[i + 1], message)
    if ARGV[i + 3] ~= '' then
      local start = string.find(ARGV[i + 2], '\n', 1, true)
      redis.call('SET', ARGV[i + 3], n .. '\n' .. string.sub(ARGV[i + 2], start + 1), 'PX', ARGV[i + 4])
    end
  end
end
if n > before then
  redis.call('SET', p .. ':n', n)
  redis.call('SET', mine, sent, 'EX', 86400)
end
return answer
