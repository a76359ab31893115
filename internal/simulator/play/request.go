package play

import (
	"mime"
	"net/url"
	"strings"
)

// FormType is the content type of a form.
const FormType = "application/x-www-form-urlencoded"

// HasContentType reports whether the request's content type is want, in UTF-8.
func (c *Call) HasContentType(want string) bool {
	t, params, err := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	charset, named := params["charset"]
	return err == nil && t == want && (!named || strings.EqualFold(charset, "utf-8"))
}

// Form decodes the body as a form. The form is empty if the body is not a form or
// has another content type.
func (c *Call) Form() url.Values {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil || !c.HasContentType(FormType) {
		return url.Values{}
	}
	return form
}

// HasMethod reports whether the request has a method. Another one is a violation.
func (c *Call) HasMethod(method string) bool {
	if c.Request.Method != method {
		c.Violate("method is " + c.Request.Method + ", not " + method)
		return false
	}
	return true
}

// ForbidQuery records parameters in the URL as a violation, for vendors that take
// them in the body.
func (c *Call) ForbidQuery() {
	if c.Request.URL.RawQuery != "" {
		c.Violate("parameters in the URL, where logs show them")
	}
}
