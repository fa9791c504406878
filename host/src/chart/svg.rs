//! Completes what the library draws: each part gets its class, and the whole a title and a
//! description.

use plotters::style::RGBColor;

use crate::text::escaped;

/// Each part is drawn in a colour of its own, by which it is recognised here.
pub(super) const READING: RGBColor = RGBColor(0x1b, 0x1f, 0x23);
pub(super) const EXPECTED: RGBColor = RGBColor(0x1f, 0x6f, 0xb2);
pub(super) const BAND: RGBColor = RGBColor(0xd3, 0xe5, 0xf5);
pub(super) const FLAG: RGBColor = RGBColor(0xc2, 0x2f, 0x1a);
pub(super) const SHADE: RGBColor = RGBColor(0xfb, 0xec, 0xdf);
pub(super) const EPISODE: RGBColor = RGBColor(0xb4, 0x5f, 0x06);
pub(super) const GRID: RGBColor = RGBColor(0xe2, 0xe5, 0xe9);
pub(super) const AXIS: RGBColor = RGBColor(0x8a, 0x93, 0x9d);
pub(super) const TEXT: RGBColor = RGBColor(0x4a, 0x52, 0x5b);

const PARTS: [(RGBColor, &str); 9] = [
    (READING, "reading"),
    (EXPECTED, "expected"),
    (BAND, "band"),
    (FLAG, "flag"),
    (SHADE, "shade"),
    (EPISODE, "episode"),
    (GRID, "grid"),
    (AXIS, "axis"),
    (TEXT, "text"),
];

/// The style of a file, which has no style sheet beside it.
const STYLE: &str = "<style>.c-text{font-family:system-ui,sans-serif}\
    @media (prefers-color-scheme:dark){svg{background:#14181c}\
    .c-reading{stroke:#e8ebee}circle.c-reading{fill:#e8ebee;stroke:none}.c-expected{stroke:#6db3ea}.c-band{fill:#1f3a52}\
    .c-flag{fill:#ff8a73}.c-shade{fill:#33261a}.c-episode{fill:#e0954a}.c-grid{stroke:#2a3138}.c-axis{stroke:#69727c}\
    .c-text{fill:#b4bcc5}}</style>";

/// Where the picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dress {
    /// Within a page, whose style sheet knows the classes. Each picture of a page has an id of its
    /// own.
    Page { id: &'static str },
    /// In a file of its own.
    File,
}

/// A text as the content of an element. Characters that XML does not allow are left out.
pub(super) fn content(text: &str) -> String {
    escaped(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Adds classes, title and description.
pub(super) fn finish(picture: &str, title: &str, summary: &str, dress: Dress) -> String {
    let body = picture.split_once('>').map_or("", |(_, body)| body);
    let opening = picture.split_once('>').map_or("", |(opening, _)| opening);
    let size = opening.split_once("viewBox").map_or("", |(_, size)| size);
    let (style, id) = match dress {
        Dress::File => (STYLE, "chart"),
        Dress::Page { id } => ("", id),
    };
    format!(
        "<svg class=\"chart {id}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" viewBox{size}><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-desc\">{}</desc>{style}{}",
        content(title),
        content(summary),
        classed(body)
    )
}

/// Gives each part its class; the expectation becomes a dashed line.
pub(super) fn classed(body: &str) -> String {
    let mut body = body.replace("opacity=\"1\" ", "").replace(" stroke=\"none\"", "");
    for (RGBColor(red, green, blue), class) in PARTS {
        let broken = if class == "expected" { " stroke-dasharray=\"7 4\"" } else { "" };
        for attribute in ["stroke", "fill"] {
            let drawn = format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"");
            body = body.replace(&drawn, &format!("class=\"c-{class}\" {drawn}{broken}"));
        }
    }
    body
}
