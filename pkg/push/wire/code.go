package wire

import "strings"

// vendorLetters stand for vendors in a single ledger, which writes the code
// "huawei/response/80000000" as "h:80000000": with an app's name of up to eight
// letters it then takes 48 bytes of Redis's allocator instead of 64. Vendors that are
// not listed are written in full.
var vendorLetters = map[string]byte{
	"huawei": 'h', "harmony": 'a', "honor": 'n', "oppo": 'o', "vivo": 'v', "xiaomi": 'x', "meizu": 'm', "tim": 't',
}

// levelMarks stand for the levels that a code can have.
var levelMarks = map[string]byte{
	"transport": '!', "http": '#', "auth": '~', "response": ':', "token": '.', "receipt": '&', "callback": '@',
}

// codeEscapes are for codes that contain what separates the parts of a ledger.
var (
	codeEscapes   = strings.NewReplacer("%", "%25", " ", "%20", "=", "%3D")
	codeUnescapes = strings.NewReplacer("%25", "%", "%20", " ", "%3D", "=")
)

// ShortCode is how a single ledger writes a code like "huawei/response/80000000".
func ShortCode(code string) string {
	if strings.ContainsAny(code, "% =") {
		code = codeEscapes.Replace(code)
	}
	vendor, rest, _ := strings.Cut(code, "/")
	level, number, two := strings.Cut(rest, "/")
	letter, mark := vendorLetters[vendor], levelMarks[level]
	if !two || letter == 0 || mark == 0 {
		return code
	}
	return string([]byte{letter, mark}) + number
}

// longCode reads what ShortCode wrote, and codes that were written in full.
func longCode(short string) string {
	code := short
	if len(short) > 1 {
		vendor, level := find(vendorLetters, short[0]), find(levelMarks, short[1])
		if vendor != "" && level != "" {
			code = vendor + "/" + level + "/" + short[2:]
		}
	}
	if strings.Contains(code, "%") {
		code = codeUnescapes.Replace(code)
	}
	return code
}

func find(words map[string]byte, b byte) string {
	for word, have := range words {
		if have == b {
			return word
		}
	}
	return ""
}
