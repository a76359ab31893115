package wire

import "github.com/zeebo/xxh3"

// MarkLength is the length of a Mark.
const MarkLength = 16

// Mark identifies a token in a set by 128 bits of hash, so that no two tokens of an
// app have the same. It does not reveal the token.
func Mark(token string) string {
	sum := xxh3.HashString128(token).Bytes()
	return string(sum[:])
}

// AppendMark appends the token's Mark.
func AppendMark(to []byte, token string) []byte {
	sum := xxh3.HashString128(token).Bytes()
	return append(to, sum[:]...)
}
