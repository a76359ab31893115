package play

import (
	"fmt"
	"sync"
	"time"

	"github.com/zeebo/xxh3"
)

// StoredMessages are messages that clients saved, for vendors whose sends name a
// saved message instead of holding one. Expired messages are kept, since
// vendors answer differently for them and for an unknown id.
type StoredMessages struct {
	mu    sync.Mutex
	byID  map[string]*StoredMessage
	byKey map[messageKey]*StoredMessage
}

// messageKey is a client's idempotency key for saving a message.
type messageKey struct{ app, key string }

// StoredMessage is a saved message.
type StoredMessage struct {
	ID, App string
	Content uint64 // see ContentHash
	Expires time.Time
	Bucket  string // the quota that it counts against
	Test    bool   // it goes to test devices only
	Receipt ReceiptRequest
}

// NewStoredMessages returns an empty store.
func NewStoredMessages() *StoredMessages {
	return &StoredMessages{byID: map[string]*StoredMessage{}, byKey: map[messageKey]*StoredMessage{}}
}

// Save keeps a message. If one with the same key is there and has not expired,
// it returns that one and again is true. An empty key is never the same.
func (s *StoredMessages) Save(m StoredMessage, key string, now time.Time) (kept StoredMessage, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := messageKey{m.App, key}
	if old := s.byKey[k]; key != "" && old != nil && now.Before(old.Expires) {
		return *old, true
	}
	s.byID[m.ID] = &m
	s.byKey[k] = &m
	return m, false
}

// Find returns an app's message with that id; ok reports whether it may still be
// sent. The message is zero if there is none.
func (s *StoredMessages) Find(id, app string, now time.Time) (m StoredMessage, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[id]
	if found == nil || found.App != app {
		return StoredMessage{}, false
	}
	return *found, now.Before(found.Expires)
}

// ContentHash is a hash by which two messages with the same key can be compared.
func ContentHash(parts ...any) uint64 { return xxh3.HashString(fmt.Sprintf("%q", parts)) }
