package body

// plain has the bytes that a form does not escape.
var plain = func() (p [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~") {
		p[c] = true
	}
	return p
}()

// FormSize is the number of bytes that AppendForm appends.
func FormSize[S ~string | ~[]byte](s S) int {
	n := len(s)
	for i := range len(s) {
		if !plain[s[i]] && s[i] != ' ' {
			n += len("%00") - 1
		}
	}
	return n
}

// AppendForm appends a name or value encoded as application/x-www-form-urlencoded,
// with + for a space.
func AppendForm[S ~string | ~[]byte](b []byte, s S) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case plain[c]:
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&0xf])
		}
	}
	return b
}
