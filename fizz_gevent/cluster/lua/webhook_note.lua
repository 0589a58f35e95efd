-- What clients did, for the back ends of their applications, in the order of happening.
-- Keys, all below the prefix P:
--   P:w:in    list: what has happened and was not looked at yet, "<ms> <sign> <what>"; + and - are
--             appended by the scripts that decide who is where, what is "s <app> <channel>" or
--             "m <app> <channel> <user>" then; = here, "<name> <app> <channel>\n<payload>"
--   P:w:x     string: how much was dropped and not counted by a node yet
--   P:w:miss:<app>:<channel>   string: a cache_miss was told a moment ago
-- ARGV: P, most entries, milliseconds between two misses, then what was noted: sign and what;
--       ? is a miss, and ! ends the silence after one; both name "<app>:<channel>" first, in a line
local p = ARGV[1]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local length = redis.call('LLEN', p .. ':w:in')
for i = 4, #ARGV, 2 do
  local sign, what = ARGV[i], ARGV[i + 1]
  local is_told = sign == '='
  if sign ~= '=' then
    local place, rest = string.match(what, '^([^\n]*)\n(.*)$')
    local key = p .. ':w:miss:' .. place
    if sign == '!' then
      redis.call('DEL', key)
    elseif redis.call('SET', key, 1, 'NX', 'PX', ARGV[3]) then
      is_told, what = true, rest
    end
  end
  if is_told and length >= tonumber(ARGV[2]) then
    redis.call('INCR', p .. ':w:x')
  elseif is_told then
    length = redis.call('RPUSH', p .. ':w:in', now .. ' = ' .. what)
  end
end
