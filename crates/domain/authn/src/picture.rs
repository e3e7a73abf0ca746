use qrcode::EcLevel;
use qrcode::QrCode;
use qrcode::render::svg;
use qrcode::render::unicode;
use zeroize::Zeroizing;

/// A QR code, as pages and terminals show it. What it says is usually a secret, so that it cannot be printed by accident.
pub struct QrPicture(QrCode);

impl QrPicture {
    /// Draws a text; `None` when it is too long for a QR code of middling error correction (about 2,300 bytes).
    pub fn draw(text: &str) -> Option<Self> {
        QrCode::with_error_correction_level(text, EcLevel::M)
            .ok()
            .map(Self)
    }

    /// An SVG document, dark on light with its quiet zone.
    pub fn svg(&self) -> Zeroizing<String> {
        let picture = self
            .0
            .render::<svg::Color<'_>>()
            .min_dimensions(240, 240)
            .dark_color(svg::Color("#000000"))
            .light_color(svg::Color("#ffffff"))
            .build();
        Zeroizing::new(picture)
    }

    /// Lines for a terminal with light text on a dark ground, two rows of the code to a line.
    pub fn text(&self) -> Zeroizing<String> {
        let picture = self
            .0
            .render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .build();
        Zeroizing::new(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_square_and_has_its_quiet_zone() {
        let picture = QrPicture::draw("otpauth://totp/a?secret=MZXW6YTBOI").unwrap();
        let text = picture.text();
        let lines: Vec<&str> = text.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(
            lines[0].chars().all(|c| c == '█'),
            "four modules of light all round"
        );
        assert!(picture.svg().starts_with("<?xml"));
    }

    #[test]
    fn what_does_not_fit_is_not_drawn() {
        assert!(QrPicture::draw(&"a".repeat(3_000)).is_none());
    }
}
