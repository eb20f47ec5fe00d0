package mail

// A style holds the opening tags of the HTML part with everything inlined, put
// together once for each language. Mail programs read attributes; what stands
// in the style sheet may be dropped without harm.
type style struct {
	paragraph, heading, list, item, title, boxed, small, foot, button, link string
}

func newStyle(font, leading string) style {
	text := func(class, margin, size, leading, colour, more string) string {
		return ` class="` + class + `" style="margin:` + margin + `;font-family:` + font + `;font-size:` + size + `;line-height:` + leading + `;color:` + colour + `;` + more + `">`
	}
	return style{
		paragraph: "<p" + text("ink", "0 0 20px", "16px", leading, "#1D2528", ""),
		heading:   "<p" + text("ink", "0 0 8px", "16px", leading, "#1D2528", "font-weight:bold;"),
		list:      "<ul" + text("ink", "0 0 20px", "16px", leading, "#1D2528", "padding:0 0 0 20px;"),
		item:      `<li style="margin:0 0 8px;">`,
		title:     "<p" + text("ink", "0 0 10px", "15px", "1.7", "#1D2528", "font-weight:bold;"),
		boxed:     "<p" + text("ink", "0 0 16px", "15px", leading, "#1D2528", ""),
		small:     "<p" + text("soft", "12px 0 0", "14px", "1.8", "#465256", ""),
		foot:      "<p" + text("soft", "0", "13px", "1.8", "#465256", ""),
		button: `<table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr><td class="btn" style="border:1px solid #0B5868;border-radius:6px;"><a style="display:inline-block;padding:11px 18px;font-family:` +
			font + `;font-size:16px;line-height:1.4;font-weight:bold;color:#0B5868;text-decoration:underline;" href="`,
		link: `<a class="lnk" style="color:#0B5868;text-decoration:underline;" href="`,
	}
}

// The frame of the HTML part: one column of at most 600 px, no picture, colours
// that survive a mail program that turns them over.
const (
	frameHead = `<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no">
`
	frameStyle = `<style>
@media (prefers-color-scheme: dark) {
  .page, .sheet { background-color: #1B2224 !important; }
  .ink { color: #E9EDEB !important; }
  .soft { color: #BAC4C3 !important; }
  .box { background-color: #20292C !important; border-color: #56625F !important; }
  .rule { border-color: #56625F !important; }
  .lnk { color: #7CC7D6 !important; }
  .btn { border-color: #7CC7D6 !important; }
  .btn a { color: #7CC7D6 !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#FFFFFF;">
`
	framePreview = `<div style="display:none;max-height:0;overflow:hidden;">`
	frameTop     = `<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#FFFFFF;"><tr><td align="center" style="padding:24px 0;">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" class="sheet" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:600px;background-color:#FFFFFF;text-align:left;">
`
	frameBottom = `</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
`
	rowOpen  = `<tr><td style="padding:8px 24px 4px 24px;">` + "\n"
	rowClose = "</td></tr>\n"
	boxOpen  = `<tr><td style="padding:8px 24px 20px 24px;">
<table role="presentation" class="box" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#F7F8F6;border:1px solid #C6CEC7;">
<tr><td style="padding:20px 20px 20px 20px;">
`
	boxClose = "</td></tr></table>\n</td></tr>\n"
	footOpen = `<tr><td class="rule" style="padding:16px 24px 24px 24px;border-top:1px solid #AEB8B1;">` + "\n"
)
