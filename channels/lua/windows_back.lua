-- Free places: ARGV[1] holds them as owner, counter and member each.
local since = redis.call('GET', KEYS[1])
if not since then return 0 end
local prefix, owners, by_owner = KEYS[2] .. since .. ':', {}, {}
for _, place in ipairs(cmsgpack.unpack(ARGV[1])) do
  local owner = place[1]
  if not by_owner[owner] then
    by_owner[owner] = {}
    owners[#owners + 1] = owner
  end
  table.insert(by_owner[owner], place)
end
for at, counters in ipairs(read(prefix, owners)) do
  local changed = false
  for _, place in ipairs(by_owner[owners[at]]) do
    local name, member = place[2], place[3]
    local line = counters[name] and place_of(counters[name], member)
    if line then
      counters[name] = without(counters[name], line)
      changed = true
    end
  end
  if changed then redis.call('SET', prefix .. owners[at], cmsgpack.pack(counters), 'KEEPTTL') end
end
return 1
