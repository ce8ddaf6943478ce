//! Expressions, by awk's order of precedence: assignment, `?:`, `||`, `&&`, matching, comparison, concatenation, sums,
//! products, signs, `!`, `++`, `$`.

use super::lex::Token;
use super::parse::Parser;
use super::pattern::Matcher;
use super::program::{Comparison, Expression, Function, Name, Own, Place, Sum};
use super::refuse::refuse;
use crate::Refusal;

impl Parser<'_> {
    pub(super) fn in_parentheses(&mut self) -> Result<Expression, Refusal> {
        self.expect("(")?;
        let outer = std::mem::replace(&mut self.printing, false);
        let inner = self.expression()?;
        self.printing = outer;
        self.expect(")")?;
        Ok(inner)
    }

    pub(super) fn expression(&mut self) -> Result<Expression, Refusal> {
        self.deeper()?;
        let left = self.choice()?;
        let operation = match self.rest {
            [Token::Operator("="), ..] => None,
            [Token::Operator("+="), ..] => Some(Sum::Add),
            [Token::Operator("-="), ..] => Some(Sum::Subtract),
            [Token::Operator("*="), ..] => Some(Sum::Multiply),
            _ => {
                self.depth -= 1;
                return Ok(left);
            }
        };
        self.rest = &self.rest[1..];
        let place = place(left)?;
        let value = self.expression()?;
        self.depth -= 1;
        Ok(Expression::Assign(place, operation, Box::new(value)))
    }

    fn choice(&mut self) -> Result<Expression, Refusal> {
        let condition = self.either()?;
        if !self.takes("?") {
            return Ok(condition);
        }
        self.deeper()?;
        let one = self.choice()?;
        self.expect(":")?;
        let other = self.choice()?;
        self.depth -= 1;
        Ok(Expression::Choose(Box::new([condition, one, other])))
    }

    fn either(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.both()?;
        while self.takes("||") {
            self.skip_newlines();
            left = Expression::Or(Box::new([left, self.both()?]));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.matching()?;
        while self.takes("&&") {
            self.skip_newlines();
            left = Expression::And(Box::new([left, self.matching()?]));
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<Expression, Refusal> {
        let left = self.comparison()?;
        let negated = match self.rest {
            [Token::Operator("~"), ..] => false,
            [Token::Operator("!~"), ..] => true,
            _ => return Ok(left),
        };
        let pattern = match &self.rest[1..] {
            [Token::Pattern(pattern), ..] => pattern,
            [Token::Text(text), ..] if !text.contains(&b'\\') => text,
            _ => return refuse("an expression that is not written out"),
        };
        self.rest = &self.rest[2..];
        let matches = Expression::Matches(Some(Box::new(left)), Box::new(Matcher::new(pattern)?));
        match self.rest {
            [Token::Operator("~" | "!~"), ..] => refuse("a match of a match"),
            _ if negated => Ok(Expression::Not(Box::new(matches))),
            _ => Ok(matches),
        }
    }

    fn comparison(&mut self) -> Result<Expression, Refusal> {
        let left = self.joined()?;
        let comparison = match self.rest {
            [Token::Operator(">"), ..] if self.printing => return refuse("a redirection"),
            [Token::Operator(operator), ..] => comparison_of(operator),
            _ => None,
        };
        let Some(comparison) = comparison else {
            return Ok(left);
        };
        self.rest = &self.rest[1..];
        let right = self.joined()?;
        match self.rest {
            [Token::Operator(again), ..] if comparison_of(again).is_some() => {
                refuse("a comparison of a comparison")
            }
            _ => Ok(Expression::Compare(comparison, Box::new([left, right]))),
        }
    }

    fn joined(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.sum()?;
        while let [Token::Number(_)
        | Token::Text(_)
        | Token::Name(_)
        | Token::Function(_)
        | Token::Operator("$" | "("), ..] = self.rest
        {
            left = Expression::Join(Box::new([left, self.sum()?]));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.product()?;
        loop {
            let sum = match self.rest {
                [Token::Operator("+"), ..] => Sum::Add,
                [Token::Operator("-"), ..] => Sum::Subtract,
                _ => return Ok(left),
            };
            self.rest = &self.rest[1..];
            left = Expression::Calculate(sum, Box::new([left, self.product()?]));
        }
    }

    fn product(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.signed()?;
        loop {
            let product = match self.rest {
                [Token::Operator("*"), ..] => Sum::Multiply,
                [Token::Operator("/"), ..] => Sum::Divide,
                [Token::Operator("%"), ..] => Sum::Remainder,
                _ => return Ok(left),
            };
            self.rest = &self.rest[1..];
            left = Expression::Calculate(product, Box::new([left, self.signed()?]));
        }
    }

    fn signed(&mut self) -> Result<Expression, Refusal> {
        self.deeper()?;
        let signed = if self.takes("-") {
            Expression::Minus(Box::new(self.signed()?))
        } else if self.takes("!") {
            Expression::Not(Box::new(self.signed()?))
        } else {
            self.stepped()?
        };
        self.depth -= 1;
        Ok(signed)
    }

    fn stepped(&mut self) -> Result<Expression, Refusal> {
        for (operator, by) in [("++", 1.0), ("--", -1.0)] {
            if self.takes(operator) {
                let stepped = self.primary()?;
                return Ok(Expression::Step(place(stepped)?, by, false));
            }
        }
        let primary = self.primary()?;
        for (operator, by) in [("++", 1.0), ("--", -1.0)] {
            if self.takes(operator) {
                return Ok(Expression::Step(place(primary)?, by, true));
            }
        }
        Ok(primary)
    }

    fn primary(&mut self) -> Result<Expression, Refusal> {
        let [first, rest @ ..] = self.rest else {
            return refuse("its end too early");
        };
        if let Token::Operator("(") = first {
            return self.in_parentheses();
        }
        self.rest = rest;
        Ok(match first {
            Token::Number(number) => Expression::Number(*number),
            Token::Text(text) => Expression::Text(text.clone()),
            Token::Pattern(pattern) => Expression::Matches(None, Box::new(Matcher::new(pattern)?)),
            Token::Operator("$") => {
                self.deeper()?;
                let index = self.primary()?;
                self.depth -= 1;
                Expression::Field(Box::new(index))
            }
            Token::Function(name) => return self.call(name),
            Token::Name(name) => return self.named(name),
            Token::Operator(_) | Token::Newline => return refuse("an operator out of place"),
        })
    }

    fn call(&mut self, name: &str) -> Result<Expression, Refusal> {
        let (function, least, most) = match name {
            "length" => (Function::Length, 0, 1),
            "index" => (Function::Index, 2, 2),
            "substr" => (Function::Substring, 2, 3),
            "tolower" => (Function::Lower, 1, 1),
            "toupper" => (Function::Upper, 1, 1),
            "int" => (Function::Whole, 1, 1),
            _ => return refuse(format_args!("the function {name}")),
        };
        self.expect("(")?;
        let outer = std::mem::replace(&mut self.printing, false);
        let mut arguments = Vec::new();
        while !self.takes(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.expression()?);
        }
        self.printing = outer;
        match (least..=most).contains(&arguments.len()) {
            true => Ok(Expression::Call(function, arguments)),
            false => refuse("a number of arguments"),
        }
    }

    fn named(&mut self, name: &str) -> Result<Expression, Refusal> {
        Ok(match name {
            "NR" => Expression::Own(Own::Record),
            "FNR" => Expression::Own(Own::FileRecord),
            "NF" => Expression::Own(Own::Fields),
            "OFS" => Expression::At(Place::OutputSeparator),
            "FS" => Expression::At(Place::FieldSeparator),
            "length" => Expression::Call(Function::Length, Vec::new()),
            name if is_taken(name) => return refuse(format_args!("the name {name}")),
            name if self.takes("[") => {
                let outer = std::mem::replace(&mut self.printing, false);
                let index = self.expression()?;
                self.printing = outer;
                self.expect("]")?;
                Expression::At(Place::Element(self.slot(name, true)?, Box::new(index)))
            }
            name => Expression::At(Place::Variable(self.slot(name, false)?)),
        })
    }

    fn slot(&mut self, name: &str, is_array: bool) -> Result<usize, Refusal> {
        let names = &mut self.program.names;
        if let Some(at) = names.iter().position(|known| known.name == name) {
            return match names[at].is_array == is_array {
                true => Ok(at),
                false => refuse("a name of an array and of a variable"),
            };
        }
        names.push(Name {
            name: name.to_owned(),
            is_array,
        });
        Ok(names.len() - 1)
    }
}

fn comparison_of(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn place(expression: Expression) -> Result<Place, Refusal> {
    match expression {
        Expression::At(place) => Ok(place),
        _ => refuse("a value that is assigned to something else"),
    }
}

/// Words of the language, and what has another meaning than a variable's.
pub(super) fn is_taken(name: &str) -> bool {
    const TAKEN: [&str; 56] = [
        "ARGC",
        "ARGV",
        "BEGIN",
        "BEGINFILE",
        "CONVFMT",
        "END",
        "ENDFILE",
        "ENVIRON",
        "ERRNO",
        "FIELDWIDTHS",
        "FILENAME",
        "IGNORECASE",
        "OFMT",
        "ORS",
        "RLENGTH",
        "RS",
        "RSTART",
        "RT",
        "SUBSEP",
        "atan2",
        "break",
        "close",
        "continue",
        "cos",
        "delete",
        "do",
        "else",
        "exit",
        "exp",
        "fflush",
        "for",
        "func",
        "function",
        "getline",
        "gsub",
        "if",
        "in",
        "index",
        "int",
        "log",
        "match",
        "mktime",
        "next",
        "nextfile",
        "print",
        "printf",
        "rand",
        "return",
        "sin",
        "split",
        "sprintf",
        "sqrt",
        "strftime",
        "sub",
        "substr",
        "while",
    ];
    const MORE: [&str; 10] = [
        "srand", "switch", "case", "default", "system", "systime", "tolower", "toupper",
        "PROCINFO", "SYMTAB",
    ];
    TAKEN.contains(&name) || MORE.contains(&name)
}
