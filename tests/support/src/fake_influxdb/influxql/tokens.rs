//! The words of a query.

use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    /// In double quotes.
    Name(String),
    /// In single quotes.
    Text(String),
    Sign(String),
}

pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            _ if first.is_whitespace() => {}
            '"' | '\'' => {
                let mut quoted = String::new();
                loop {
                    match rest.next()? {
                        '\\' => quoted.push(rest.next()?),
                        end if end == first => break,
                        other => quoted.push(other),
                    }
                }
                tokens.push(if first == '"' { Token::Name(quoted) } else { Token::Text(quoted) });
            }
            _ if first.is_alphanumeric() || first == '_' || first == '-' => {
                let mut word = first.to_string();
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ => {
                let mut sign = first.to_string();
                while let Some(next) = rest.next_if(|next| "=>:".contains(*next) && "<>!:".contains(first)) {
                    sign.push(next);
                }
                tokens.push(Token::Sign(sign));
            }
        }
    }
    Some(tokens)
}

/// Those that are not read yet.
pub(super) struct Words(pub(super) VecDeque<Token>);

impl Words {
    /// Takes this keyword or sign, if it is the next.
    pub(super) fn takes(&mut self, what: &str) -> bool {
        let is_it = match self.0.front() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(what),
            Some(Token::Sign(sign)) => sign == what,
            _ => false,
        };
        if is_it {
            self.0.pop_front();
        }
        is_it
    }

    /// A name, with what `::` says of its kind left out.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = match self.0.pop_front()? {
            Token::Word(name) | Token::Name(name) => name,
            _ => return None,
        };
        if self.takes("::") {
            self.0.pop_front()?;
        }
        Some(name)
    }
}
