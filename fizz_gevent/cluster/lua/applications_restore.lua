-- Give back to Redis what it has lost: the applications that a running node knows.
-- Keys, all below the prefix P:
--   P:apps, P:apps:version   as in applications_read.lua
-- Channel: P:all
-- ARGV: P, history, number and token of the version that the node knows, a token that is new, then
--       app_id, JSON, ...
-- Answers: how many applications were missing and are there again
local p = ARGV[1]
local version = redis.call('GET', p .. ':apps:version') or ''
local history, number = string.match(version, '^(%w+) (%d+) ')
local token = ARGV[4]
local is_other = false
if not history then
  history, number = ARGV[2], ARGV[3]
elseif history == ARGV[2] then
  -- the same history, an older page of it: what the node knows has come after it
  if tonumber(number) >= tonumber(ARGV[3]) then return 0 end
  redis.call('DEL', p .. ':apps')
  number = ARGV[3]
else
  -- somebody has begun anew already: that counts, and what is missing there is added
  is_other = true
  number, token = tostring(tonumber(number) + 1), ARGV[5]
end
local count = 0
for i = 6, #ARGV, 2 do
  count = count + redis.call('HSETNX', p .. ':apps', ARGV[i], ARGV[i + 1])
end
if is_other and count == 0 then return 0 end
redis.call('SET', p .. ':apps:version', history .. ' ' .. number .. ' ' .. token)
redis.call('PUBLISH', p .. ':all', 'A\n')
return count
